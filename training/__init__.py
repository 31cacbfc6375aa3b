"""From a labelled table of texts to a published model artifact: fine-tunes BERT and keeps the store of models."""
