async def oidc_provider(stack, redis_url, number):
    return None
