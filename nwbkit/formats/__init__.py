"""One file per vendor format: how to recognise it, how to open it, which options it takes."""
