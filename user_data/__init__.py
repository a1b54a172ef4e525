"""The user data of instances, and the rendering of its template."""
