"""The HTTP interface: JSON in, JSON out, errors as problem details, described by OpenAPI."""
