-- Leases due jobs to the caller.
--
-- KEYS  1 queue, 2 job, 3 lease, 4 fence
-- ARGV  1 how many at most, 2 lease in ms, 3 the one job to claim, "" for any
-- Returns {seconds, microseconds, fence, then of each job: id, "due in ms|payload", attempt}.

local call = redis.call
local QUEUE, JOB, LEASE, FENCE = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local limit, lease_ms, only = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]

local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local till = string.format('%.0f', now + lease_ms)

local ids = {}
if only == '' then
  ids = call('ZRANGEBYSCORE', QUEUE, '-inf', string.format('%.0f', now), 'LIMIT', 0, limit)
else
  local due = call('ZSCORE', QUEUE, only)
  if due and tonumber(due) <= now then ids = {only} end
end
if #ids == 0 then return {time[1], time[2], 0} end

-- A write that needs no memory comes first, so that claims work when memory is full.
call('HDEL', LEASE, '')
local fence = call('INCR', FENCE)
local claimed = {time[1], time[2], fence}
for _, id in ipairs(ids) do
  local job = call('HGET', JOB, id)
  local due = job and string.match(job, '^(%d+)|')
  if not due then
    call('ZREM', QUEUE, id)
    call('HDEL', LEASE, id)
  elseif tonumber(due) > now then
    -- It was set anew, for later, while a holder that has died since held it.
    call('ZADD', QUEUE, due, id)
    call('HDEL', LEASE, id)
  else
    local held = call('HGET', LEASE, id)
    local attempt = (held and tonumber(string.match(held, ':(%d+)$')) or 0) + 1
    call('ZADD', QUEUE, till, id)
    call('HSET', LEASE, id, string.format('%.0f:%.0f', fence, attempt))
    claimed[#claimed + 1] = id
    claimed[#claimed + 1] = job
    claimed[#claimed + 1] = attempt
  end
end
return claimed
