-- does:   enrols the customers of good rows who are not known: a member and its account on the first rung
-- again:  a customer who is known is left as it is
-- params: enrolled_at timestamptz, tier_no smallint
with enrolled as (
    insert into members (customer_id, enrolled_at)
    select strange.customer_id, :enrolled_at
    from (
        select distinct r.customer_id
        from import_transactions as r
        where r.reason is null and not r.unchanged and not r.later
            and not exists (select from members as m where m.customer_id = r.customer_id)
    ) as strange
    order by strange.customer_id
    returning member_no
)

insert into accounts (member_no, tier_no)
select member_no, :tier_no from enrolled
