"""What did other proxies see?"""
