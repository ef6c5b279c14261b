-- Removes a job; if it was set anew since it was claimed, it becomes due as it was set.
--
-- KEYS  1 queue, 2 job, 3 lease
-- ARGV  1 job, 2 fence, 3 payload at the claim
-- Returns 1; 0 when the job is no longer the caller's.

local call = redis.call
local QUEUE, JOB, LEASE = KEYS[1], KEYS[2], KEYS[3]
local id, fence, claimed = ARGV[1], ARGV[2], ARGV[3]

local held = call('HGET', LEASE, id)
if not held or string.match(held, '^(%d+):') ~= fence then return 0 end

call('HDEL', LEASE, id)
local job = call('HGET', JOB, id) or ''
local due, payload = string.match(job, '^(%d+)|(.*)$')
if due and payload ~= claimed then
  call('ZADD', QUEUE, due, id)
else
  call('ZREM', QUEUE, id)
  call('HDEL', JOB, id)
end
return 1
