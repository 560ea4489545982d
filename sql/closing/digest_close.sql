-- does:   digests of what went into a close and what came out: sums of row hashes, so that neither batches nor order matter
-- again:  reads only; a statement of its own, since only a read may run on several cores
-- params: period date
select
    (select coalesce(sum(t.hash), 0) from loyalty.transaction_hashes as t where t.period = :period) as input_digest,
    (select count(*) from loyalty.statements as s where s.period = :period) as statements,
    (select coalesce(sum(s.hash), 0) from loyalty.statement_hashes as s where s.period = :period) as output_digest
