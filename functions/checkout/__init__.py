"""What browsers of riders and the payment provider talk to: hosted pages and the provider's webhooks."""
