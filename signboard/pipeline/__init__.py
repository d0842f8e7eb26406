"""What happens to a photo between opening it and the result: finding places, reading them, mending words, layout."""
