"""The pages of the admin in four themes. Each theme is tested in a process of its own, on SQLite."""
