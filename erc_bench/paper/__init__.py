"""The tables and figures of Gendron and Guibon (WASSA 2024), published and measured side by side."""
