"""What every request has, whatever it asks: its body, its caller, its errors. Knows no job."""
