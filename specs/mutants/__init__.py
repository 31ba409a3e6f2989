"""Tables with one small fault each, and the search for what is wrong with them."""
