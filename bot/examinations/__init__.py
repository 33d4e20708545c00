"""One file per part of an installation: what the configured features need of it. Nothing is changed."""
