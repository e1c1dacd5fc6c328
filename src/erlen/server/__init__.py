"""The servers that Erlen starts itself."""
