"""The performance of models beside the highest that the reliability of the ratings allows."""
