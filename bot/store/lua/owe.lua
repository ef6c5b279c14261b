-- Sets a job that is due now; of one that is owed already only the payload changes.
--
-- KEYS  1 queue, 2 job
-- ARGV  1 job, 2 payload
-- Returns 1; 0 when it was owed already.

local call = redis.call
local QUEUE, JOB = KEYS[1], KEYS[2]
local id, payload = ARGV[1], ARGV[2]

local due = string.match(call('HGET', JOB, id) or '', '^(%d+)|')
if due then
  call('HSET', JOB, id, due .. '|' .. payload)
  return 0
end
local time = call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
call('HSET', JOB, id, now .. '|' .. payload)
call('ZADD', QUEUE, now, id)
return 1
