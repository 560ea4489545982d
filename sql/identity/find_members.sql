-- does:   the members that an identifier is of, by number: none, one, or two where it is shared; and whether one of its was erased
-- again:  reads only
-- params: kind text, platform text, value text
select
    array(
        select i.member_no from loyalty.identifiers as i
        where i.kind = :kind and i.platform = :platform
            and i.value = case when :kind = 'email' then loyalty.folded_email(:value) else :value end
        order by i.member_no
        limit 2
    ) as members,
    loyalty.is_erased(:kind, :platform, case when :kind = 'email' then loyalty.folded_email(:value) else :value end) as erased
