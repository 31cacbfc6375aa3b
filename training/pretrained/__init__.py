"""What fine-tuning starts from: base models, where they come from, how they are read."""
