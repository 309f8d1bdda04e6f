"""Pictures: what their tables hold, computed; `figures` draws them."""
