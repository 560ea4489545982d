-- does:   makes a platform's id known as a member's; the member who has it is given back
-- again:  the same member has it
-- params: platform text, value text, member_no bigint
insert into loyalty.identifiers as i (kind, platform, value, member_no)
values ('platform', :platform, :value, :member_no)
on conflict (platform, value) where kind = 'platform' do update set value = i.value
returning i.member_no
