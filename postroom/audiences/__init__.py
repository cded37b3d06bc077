"""Who a bulk send is for: tags, rules, and how many they find."""
