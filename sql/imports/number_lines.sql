-- does:   says on which line of the file the next row copied in stands
-- again:  says the same
-- params: first_line bigint
select loyalty.number_import_lines(:first_line)
