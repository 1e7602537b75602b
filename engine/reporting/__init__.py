"""What a run reports: records, tables, pages and pictures."""
