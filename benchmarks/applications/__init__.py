"""The same work, written for each framework as its documentation recommends."""
