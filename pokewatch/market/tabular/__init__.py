"""The one reader of user-supplied tables: text in any common form, Excel workbooks and Parquet."""
