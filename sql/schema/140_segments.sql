-- Segments: what members' purchases say of them, computed for all at once as of an instant. Nothing of it is a fact of its own: computing
-- again makes it anew, and a member who never bought has no row.

create table loyalty.segments (
    member_no bigint primary key,
    as_of timestamptz not null,
    purchases integer not null,
    last_purchase_at timestamptz,
    frequency integer not null,
    monetary bigint not null,
    recency_score smallint check (recency_score between 1 and 5),
    frequency_score smallint check (frequency_score between 1 and 5),
    monetary_score smallint check (monetary_score between 1 and 5),
    points_to_next bigint check (points_to_next > 0),
    active boolean not null,
    one_time boolean not null,
    at_risk boolean not null,
    lapsed boolean not null,
    near_threshold boolean not null,
    best boolean not null,
    check (active = (recency_score is not null) and active = (frequency_score is not null) and active = (monetary_score is not null)),
    check (not (active and lapsed))
);

comment on column loyalty.segments.purchases is 'ever; a sale that was corrected away is none, one that came back is';
comment on column loyalty.segments.frequency is 'purchases in the window of the active';
comment on column loyalty.segments.monetary is 'net eligible spend in that window, in minor units of the programme''s currency';
comment on column loyalty.segments.points_to_next is 'qualifying points that were missing to the next tier at the last close';

-- Whether a row of the above is in the segment of a name.
create function loyalty.in_segment(member loyalty.segments, name text) returns boolean language sql immutable parallel safe as $$
    select case name
        when 'active' then member.active
        when 'best' then member.best
        when 'one_time' then member.one_time
        when 'at_risk' then member.at_risk
        when 'lapsed' then member.lapsed
        when 'near_threshold' then member.near_threshold
        else false
    end
$$;

-- One row for each time that segments were computed, so that their sizes can be compared.
create table loyalty.segment_runs (
    as_of timestamptz primary key,
    computed_at timestamptz not null,
    counts jsonb not null
);

comment on column loyalty.segment_runs.counts is 'members by segment';
