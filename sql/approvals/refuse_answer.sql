-- does:   takes note that an answer of the form could not be taken, so that the form asks again and says why
-- again:  the count of the answers refused before makes a repeat write nothing
-- params: approval_no bigint, answers_refused integer, refusal text
update loyalty.approvals as a
set
    answers_refused = a.answers_refused + 1,
    last_refusal = :refusal
where a.approval_no = :approval_no and a.answers_refused = :answers_refused
