-- does:   locks, in member order, the accounts of the range that owe or are debited by this run, and all of them where any rules earn on
--         purchase, before a lot of theirs is touched: real time locks the account first too, so the two can't deadlock; gives the
--         highest rank of a debit among them (0 = none), and whether real time has posted anything that no close has evened out yet
-- again:  a lock taken twice is one lock
-- params: run_no bigint, first_member bigint, stop_member bigint
with touched as (
    select w.member_no from loyalty.work_points as w
    where w.run_no = :run_no and w.points < 0 and w.member_no >= :first_member and w.member_no < :stop_member
    union
    select d.member_no from loyalty.debts as d
    where d.member_no >= :first_member and d.member_no < :stop_member
    union
    select a.member_no from loyalty.accounts as a
    where a.member_no >= :first_member and a.member_no < :stop_member
        and exists (select from loyalty.rules_versions as v where v.earning = 'on_purchase')
),

locked as (
    select a.member_no from loyalty.accounts as a
    where a.member_no in (select t.member_no from touched as t)
        and a.member_no >= :first_member and a.member_no < :stop_member
    order by a.member_no
    for update
)

select
    (select count(*) from locked) as accounts,
    coalesce((
        select max(w.rank) from loyalty.work_points as w
        where w.run_no = :run_no and w.points < 0 and w.member_no >= :first_member and w.member_no < :stop_member
    ), 0) as last_rank,
    exists (
        select from loyalty.till_sums as s where s.member_no >= :first_member and s.member_no < :stop_member
    ) as live
