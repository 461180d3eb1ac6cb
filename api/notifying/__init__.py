"""Tells people and systems outside what happened: messages, signed webhooks, and hints that come in from MLflow."""
