"""What is told to whom: figures, pages, letters, in Chinese and in English."""
