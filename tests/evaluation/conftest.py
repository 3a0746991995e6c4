"""Lets the tests of this folder and below import the made-up photos in scored_photos.py."""
