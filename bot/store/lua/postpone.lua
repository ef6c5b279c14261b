-- Gives a job back, due again later; its attempts are kept, unless it was done.
--
-- KEYS  1 queue, 2 job, 3 lease
-- ARGV  1 job, 2 fence, 3 payload at the claim, 4 delay in ms, 5 "1" if it was done
-- Returns 1; 0 when the job is no longer the caller's.

local call = redis.call
local QUEUE, JOB, LEASE = KEYS[1], KEYS[2], KEYS[3]
local id, fence, claimed, delay_ms = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

local held = call('HGET', LEASE, id)
if not held or string.match(held, '^(%d+):') ~= fence then return 0 end

local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
call('HDEL', LEASE, '')  -- as in claim.lua: works when memory is full
call('HSET', LEASE, id, '0:' .. (ARGV[5] == '1' and '0' or string.match(held, ':(%d+)$')))

-- What was set anew meanwhile is due as it was set, whatever its old holder could not do.
local due, payload = string.match(call('HGET', JOB, id) or '', '^(%d+)|(.*)$')
if not due or payload == claimed then due = string.format('%.0f', now + delay_ms) end
call('ZADD', QUEUE, due, id)
return 1
