"""What people decide: verdicts, permits, reviews, and the serving they allow."""
