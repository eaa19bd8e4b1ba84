"""Metadata: extracted from readers, merged, set, templated, validated. Nothing is imported here."""
