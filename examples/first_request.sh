#!/bin/sh
# Ask a running service two questions that its training set does not hold.
set -eu

curl --fail-with-body --silent --show-error "http://127.0.0.1:${PORT:-8000}/predict" \
  --header 'Content-Type: application/json' \
  --data '{
    "texts": [
      "Why does my code keep throwing me null pointer exception?",
      "I wrote a loop that i cannot exit, what am I doing wrong?"
    ]
  }'
echo
