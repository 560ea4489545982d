-- does:   keeps the keyed hash of a card, an address or a device of a member
-- again:  the key (member, trait, hash) refuses a second one
-- params: member_no bigint, trait text, digest bytea
insert into loyalty.member_traits (member_no, trait, digest)
values (:member_no, :trait, :digest)
on conflict do nothing
