"""gunicorn and the process that it runs: settings, worker class, logs."""
