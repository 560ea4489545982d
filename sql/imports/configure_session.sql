-- does:   makes this session read times without an offset in the programme's zone, and sort in memory
-- again:  sets the same
-- params: zone text
select
    set_config('timezone', :zone, false),
    set_config('work_mem', '128MB', false)
