"""What people look at: pages rendered on the server, and the plain data behind their charts."""
