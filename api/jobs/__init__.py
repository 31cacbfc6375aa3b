"""Jobs as the API sees them: admitted, sent, waited for, read."""
