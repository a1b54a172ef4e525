"""The pages for people: made on the server, made livelier by a script, usable without it."""
