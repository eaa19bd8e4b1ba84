"""What cell finders made of movies: ROIs, their traces and summary images."""
