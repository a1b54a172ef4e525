"""Settings, names, logs and commands that all programs share."""
