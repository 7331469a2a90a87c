"""What a value in retrain.yaml may look like: names, image names, cron expressions, quantities."""
