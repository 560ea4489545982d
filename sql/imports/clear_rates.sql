-- does:   empties this session's own tables for the next part of the file
-- again:  they are empty
-- params: none
truncate import_rates_raw, import_rates
