-- does:   keeps the reasons of this part's bad rows until the file of rejected rows is written
-- again:  writes into this session's own table, once a part
-- params: none
insert into import_rejects (line, reason)
select line, reason from import_members
where reason is not null
