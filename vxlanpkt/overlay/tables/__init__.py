"""Where frames and packets go: forwarding, routes and neighbours as tables, and a VTEP made of them."""
