-- What wrk sends: purchases or redemptions, each a new one, of many members or of one; at the end its figures, as JSON.
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init()
  what, run, members = os.getenv("TILL_WHAT"), os.getenv("TILL_RUN"), tonumber(os.getenv("TILL_MEMBERS"))
  sent = 0
  headers = { ["Authorization"] = "Bearer " .. os.getenv("TILL_KEY"), ["Content-Type"] = "application/json" }
  math.randomseed(number + 1)
end

function request()
  sent = sent + 1
  local id, member = string.format("%s-%d-%d", run, number, sent), math.random(1, members)
  if what == "redemptions" then
    headers["Idempotency-Key"] = id
    return wrk.format("POST", "/v1/redemptions", headers, string.format('{"customer_id":"C%d","points":1}', member))
  end
  local sale = '{"transaction_id":"W%s","customer_id":"C%d","amount":"%d.90","location":"Berlin 3"}'
  return wrk.format("POST", "/v1/purchases", headers, string.format(sale, id, member, math.random(1, 99)))
end

function done(summary, latency)
  local failed = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"microseconds":%d,"failed":%d,"p50":%d,"p95":%d,"p99":%d}\n',
    summary.requests, summary.duration,
    failed.connect + failed.read + failed.write + failed.status + failed.timeout,
    latency:percentile(50), latency:percentile(95), latency:percentile(99)
  ))
end
