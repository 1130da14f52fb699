"""Datasets: finding, reading, checking and downloading them."""
