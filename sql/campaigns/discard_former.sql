-- does:   makes room for a campaign of a name whose earlier proposal was rejected or lapsed; how often it was asked for
-- again:  finds none
-- params: name text
delete from loyalty.campaigns as c
where c.name = :name and c.state = 'asked'
    and c.approval_no in (select a.approval_no from loyalty.approvals as a where a.state in ('rejected', 'lapsed'))
returning c.attempt
