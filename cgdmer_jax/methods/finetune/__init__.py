"""Fine-tuning of any pretrained encoder on labels: config, head, augmentation, loss, method."""
